"""Does the distance hang on the pixels the maps point at?"""
