"""What the scores look at: test photographs, their decompositions, what is true of them."""
