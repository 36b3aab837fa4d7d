"""Do scores fall to chance when knowledge is taken away?"""
