"""What a whole distance is made of, by intervention: parts of a person swapped between two photographs."""
