"""How a pedestrian is drawn: body, clothes, things carried, light on them."""
