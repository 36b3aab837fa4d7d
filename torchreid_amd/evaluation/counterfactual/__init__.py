"""Does it say what would happen?"""
