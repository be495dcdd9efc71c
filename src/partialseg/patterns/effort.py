"""How long a person needs: an estimate by published annotation times.

The times were measured on photographs of objects and of streets, not on orthophotos, and by
people of different practice. They say which way of labelling is dear; they are no promise.

A mask is timed by the pixels of the patch as it is labelled, clicks, strokes and boxes by their
number: where a patch is a cell resampled to fewer pixels, a mask drawn on the cell takes longer.

Full masks by another source: Bearman et al. 2016 count 239.7 s for an image of PASCAL VOC, about
500 x 375 pixels, which is 1.3 ms a pixel, half of what SECONDS_A_PIXEL has.
"""

from collections.abc import Iterable

# Bearman et al. 2016, "What's the Point", arXiv:1506.02106: medians of 2.4 s for the click on the
# first instance of a class in an image and 0.9 s for that on each further instance (with 1 s for
# each of the 18.5 absent classes, that makes their 22.1 s for an image of 1.5 classes) ...
SECONDS_FIRST_CLICK = 2.4
SECONDS_FURTHER_CLICK = 0.9
# ... and of 10.9 s for a squiggle on a class (34.9 s for an image), read as the time of a stroke.
SECONDS_A_STROKE = 10.9
# Papadopoulos et al. 2017, "Extreme clicking", arXiv:1708.02750: 7 s a box by four clicks. (The
# corners of a box took 35 s in ImageNet.)
CLICKS_A_BOX = 4
SECONDS_A_BOX = 7.0
# Cordts et al. 2016, "Cityscapes", arXiv:1604.01685: 1.5 hours for the full mask of an image of
# 2048 x 1024 pixels, checks included; read as time in proportion to pixels.
SECONDS_A_PIXEL = 1.5 * 3600 / (2048 * 1024)


def seconds_of_clicks(clicks_of_classes: Iterable[int]) -> float:
    """Return the seconds for so many clicks on each of the classes of a patch."""
    return sum(
        SECONDS_FIRST_CLICK + SECONDS_FURTHER_CLICK * (clicks - 1)
        for clicks in clicks_of_classes
        if clicks
    )


def seconds_of_strokes(strokes: int) -> float:
    """Return the seconds for strokes of any length."""
    return SECONDS_A_STROKE * strokes


def seconds_of_boxes(boxes: int) -> float:
    """Return the seconds for boxes of any size."""
    return SECONDS_A_BOX * boxes


def seconds_of_full_mask(pixels: int) -> float:
    """Return the seconds for an area in which every pixel is labelled."""
    return SECONDS_A_PIXEL * pixels
