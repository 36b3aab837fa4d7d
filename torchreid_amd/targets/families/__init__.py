"""Where the models of torchreid are cut, a family a function."""
