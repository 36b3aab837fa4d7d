"""Who is drawn: traits, colours, attributes, a population."""
