import pytest

from partialseg.tiling.grid import cell_name, cells_of


def test_numbers_count_the_partial_cells_of_the_right_border() -> None:
    # 1,100 x 1,300 px in cells of 512: 2 of 3 columns and 2 of 3 rows are whole.
    cells = list(cells_of(width=1_100, height=1_300, side=512))
    assert [(cell.number, cell.row, cell.column) for cell in cells] == [
        (0, 0, 0),
        (1, 0, 1),
        (3, 1, 0),
        (4, 1, 1),
    ]
    last = cells[-1].window
    assert (last.col_off, last.row_off, last.width, last.height) == (512, 512, 512, 512)


def test_exact_multiples_have_no_partial_cell() -> None:
    assert [cell.number for cell in cells_of(1_024, 1_024, 512)] == [0, 1, 2, 3]


def test_the_real_half_metre_mask_has_72_cells() -> None:
    # 4,136 px wide, 4,701 high: 8 of 9 columns, 9 of 10 rows; the last whole one is 8 * 9 + 7.
    numbers = [cell.number for cell in cells_of(4_136, 4_701, 512)]
    assert (len(numbers), numbers[8], numbers[-1]) == (72, 9, 79)


@pytest.mark.parametrize(("width", "height"), [(511, 512), (512, 511)])
def test_too_small_has_none(width: int, height: int) -> None:
    assert list(cells_of(width, height, 512)) == []


@pytest.mark.parametrize(("width", "height"), [(700, 900), (1_537, 1_025), (512, 2_000)])
def test_numbering_is_that_of_the_official_loop(width: int, height: int) -> None:
    """The archive's split.py, retold: k advances over every cell, whole ones are written."""
    official, k = [], 0
    for y in range(0, height, 512):
        for x in range(0, width, 512):
            if x + 512 <= width and y + 512 <= height:
                official.append((k, x, y))
            k += 1
    ours = [(c.number, c.window.col_off, c.window.row_off) for c in cells_of(width, height, 512)]
    assert ours == official


def test_names() -> None:
    assert cell_name("N-33-60-D-c-4-2", 17) == "N-33-60-D-c-4-2_17"
