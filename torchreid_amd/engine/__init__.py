"""torchreid's engine with an interpreter: training, progress, scoring a run."""
