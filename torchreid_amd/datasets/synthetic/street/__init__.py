"""Where a pedestrian is seen: scenes and cameras by day and by night."""
