"""How the truth of a patch is stored: class ids as uint8."""

Colour = tuple[int, int, int]  # RGB, 0..255


NO_TRUTH = 255  # a pixel that the source leaves unlabelled


MAX_CLASSES = NO_TRUTH


PIXELS_OF = "pixels:"  # prefix, in tables, of the column that counts the pixels of a class
