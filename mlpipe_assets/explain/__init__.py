"""From one prediction back to everything it rests on."""
