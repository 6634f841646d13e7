"""What an object is doing: three states whose meaning depends on its class (moving, parked, stopped; standing ...)."""

NUM_ATTRIBUTES = 3
NO_ATTRIBUTE = NUM_ATTRIBUTES  # label of objects without an attribute, or of unknown ones
