"""The five classes of LandCover.ai, which the sample shares."""

from partialseg.source import Classes, LandCoverClass

# Ids and names as in the paper; the palette is ours: distinct for colour-blind readers too
# (after Okabe and Ito 2008, https://jfly.uni-koeln.de/color/).
CLASSES = Classes(
    classes=(
        LandCoverClass(name="background", colour=(230, 218, 190)),
        LandCoverClass(name="building", colour=(213, 62, 0)),
        LandCoverClass(name="woodland", colour=(0, 114, 80)),
        LandCoverClass(name="water", colour=(60, 150, 220)),
        LandCoverClass(name="road", colour=(70, 60, 80)),
    ),
    mask_values="ids",
)
