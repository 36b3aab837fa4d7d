"""Does it look at the right place?"""
