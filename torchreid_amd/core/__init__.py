"""What everything stands on: errors, registry, files, images, and torchreid."""
