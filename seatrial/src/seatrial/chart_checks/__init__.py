"""Find mistakes in rendered objects before they are created. Pure."""
