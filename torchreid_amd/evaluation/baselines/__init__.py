"""What simple methods give."""
