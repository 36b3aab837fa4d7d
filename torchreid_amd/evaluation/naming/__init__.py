"""Does it name the right attributes?"""
