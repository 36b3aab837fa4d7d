"""A frozen target with a head: decompositions, contributions, run folders."""
