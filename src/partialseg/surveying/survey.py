"""Describe a folder of images and masks in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from partialseg.source.pairing import files_by_patterns
from partialseg.source.raster import Header
from partialseg.source.reading import Reading
from partialseg.source.remarks import remarks_on
from partialseg.surveying.content import Survey
from partialseg.surveying.pairs import Pairs, find_pairs
from partialseg.surveying.suggestion import named, split_values, to_decide

LISTED = 20  # lines of one kind


def pairs_of(folder: Path, images: str, masks: str) -> Pairs:
    """Return the pairs of a folder, by patterns if there are any, or else guessed.

    Raises:
        ValueError: only one pattern is given, or no pair is found.
    """
    if bool(images) != bool(masks):
        raise ValueError("--images and --masks: both or none")
    if not images:
        return find_pairs(folder)
    files = files_by_patterns(folder, images, masks, "", "refuse")
    both = sorted(files.images.keys() & files.masks.keys())
    if not both:
        raise ValueError(f"{folder}: no image matching {images} has a mask matching {masks}")
    alone = [files.masks[key] for key in sorted(files.masks.keys() - both)]
    return Pairs(
        images=images,
        masks=masks,
        files=[(files.images[key], files.masks[key]) for key in both],
        unlabelled=[files.images[key] for key in sorted(files.images.keys() - both)],
        alone=alone,
        others=[],
        problem="download refuses masks without an image" if alone else "",
    )


def report(folder: Path, pairs: Pairs, found: Survey) -> str:
    """Return what was found as text."""
    lines = [
        f"{folder}: {len(pairs.files)} images with masks",
        *_files(pairs),
        "",
        "Images",
        *_images(found),
        "",
        f"Masks ({found.masks_read} read): {'colours' if found.are_colours else 'ids'}",
        *_values(found),
        *_to_decide(found),
        "",
        *_problems(pairs, found),
    ]
    return "\n".join(lines)


def _problems(pairs: Pairs, found: Survey) -> Iterable[str]:
    whole = [pairs.problem] if pairs.problem else []
    if found.unusable:
        whole.append(
            f"{found.unusable} of {len(pairs.files)} pairs cannot be used as they are, and "
            "download refuses the folder with them: mend them or put them elsewhere"
        )
    if not whole and not found.problems:
        yield "No problems found."
        return
    yield "Problems"
    yield from (f"  {sentence}" for sentence in whole)
    yield from _listed(found.problems)


def _files(pairs: Pairs) -> Iterable[str]:
    if pairs.images:
        yield f"  images: {pairs.images}, masks: {pairs.masks}"
    for files, one, many in (
        (pairs.unlabelled, "image without a mask", "images without a mask, as"),
        (pairs.alone, "mask without an image", "masks without an image, as"),
        (pairs.others, "file that is no raster", "files that are no rasters, as"),
    ):
        if files:
            yield f"  {len(files)} {many if len(files) > 1 else f'{one}:'} {files[0]}"


def _images(found: Survey) -> Iterable[str]:
    headers = found.headers.values()
    yield f"  sizes in px: {_counted(f'{item.width} x {item.height}' for item in headers)}"
    yield f"  bands: {_counted(f'{item.bands} of {_types(item)}' for item in headers)}"
    sizes = Counter(f"{size:.3g} m" for size in found.gsd.values())
    unknown = len(found.headers) - len(found.gsd)
    if unknown:
        sizes["unknown"] = unknown
    yield f"  pixel size on the ground: {_counted(sizes.elements())}"
    systems = Counter(item.crs or "none" for item in headers)
    yield f"  coordinate systems: {_counted(systems.elements())}"
    remarks = Counter(remark for item in headers for remark in remarks_on(item, Reading()))
    for remark, count in remarks.most_common(LISTED):
        yield f"  {count} images: {remark}"


def _types(header: Header) -> str:
    return ", ".join(sorted(set(header.dtypes)))


def _values(found: Survey) -> Iterable[str]:
    total = sum(found.counts.values())
    ignored = set(split_values(found).ignored)
    lines = []
    for value, count in sorted(found.counts.items()):
        why = "  looks like no truth" if value in ignored else ""
        lines.append(f"{named(value, found):>17}  {count / total:7.2%}{why}")
    yield from _listed(lines)
    if found.without_value:
        share = found.without_value / (total + found.without_value)
        yield f"  {share:.2%} of all pixels are transparent or NaN, and have no truth"


def _to_decide(found: Survey) -> Iterable[str]:
    if sentences := to_decide(split_values(found), found):
        yield from ("", "To decide", *_listed(sentences))


def _listed(lines: Sequence[str]) -> Iterable[str]:
    yield from (f"  {line}" for line in lines[:LISTED])
    if len(lines) > LISTED:
        yield f"  ... and {len(lines) - LISTED} more"


def _counted(texts: Iterable[str]) -> str:
    counts = Counter(texts).most_common()
    listed = ", ".join(f"{text} ({count})" for text, count in counts[:5])
    return listed + (f", ... ({len(counts)} different)" if len(counts) > 5 else "")
