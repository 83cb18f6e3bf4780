"""The register: every table and figure of the papers, and what `evaluate` finds in it."""

import pytest
from omegaconf import OmegaConf

from raystudy.config import catalogue, compose
from raystudy.errors import UserError
from raystudy.evaluation import published, register
from raystudy.reproduce import arms
from raystudy.trial.build import build_suite

TABLES = register.names()
CLEAN = ("none", 0.0)
THERE = {
    "fast_at": ["figure1", "figure2", "figure3", "figure4", "figure5", "table1"],
    "msr": ["figure3", *(f"table{n}" for n in range(1, 9))],
    "suncet": [*(f"figure{n}" for n in range(1, 9)), *(f"table{n}" for n in range(1, 6))],
    # "attacks" and "steps" are in no table, but the papers' results hang on them.
    "swaro": ["attacks", "figure3", "steps", *(f"table{n}" for n in range(1, 9)), "time"],
}
PUBLISHED = {  # the sums of all printed numbers, added up apart from these files
    "fast_at/table1": 346.4,
    "msr/table1": 1536.9,
    "msr/table2": 2949.6,
    "msr/table3": 822.3,
    "msr/table4": 1107.4,
    "msr/table5": 1061.3,
    "msr/table6": 532.0,
    "msr/table7": 199.9,
    "msr/table8": 462.2,
    "suncet/figure1": 257.4,
    "swaro/table1": 3720.44,
    "swaro/table2": 744.74,
    "swaro/table3": 1044.22,
    "swaro/table4": 1880.62,
    "swaro/table5": 353.67,
    "swaro/table6": 2135.1,
    "swaro/table7": 4023.59,
    "swaro/table8": 3792.47,
}

TEST_IMAGES = {  # as published
    "cifar10": 10_000,
    "cifar100": 10_000,
    "stl10": 8_000,
    "tiny_imagenet": 10_000,
    "imagenet100": 5_000,
    "imagenet": 50_000,
}


@pytest.fixture(name="table", params=TABLES)
def read_table(request):
    return register.read(request.param)


def test_every_table_and_figure_is_there():
    assert [f"{paper}/{what}" for paper, found in THERE.items() for what in found] == TABLES


def test_it_can_be_run_or_says_why_not(table):
    assert table.unavailable or set(table.tiers) == {"smoke", "reduced", "full"}
    assert table.title
    assert table.source


def test_its_reduced_tier_judges_what_is_claimed_of_a_row_of_settings(table):
    tier = table.tiers.get("reduced")
    if tier is None or tier.unavailable:
        return
    rows, columns = set(tier.rows or table.rows), set(tier.columns or table.columns)
    for claim in table.claims.values():
        in_order = claim.kind in ("rising", "falling", "interior", "flat")
        if in_order and set(claim.columns) <= columns:
            assert set(claim.rows) <= rows, claim.words


def test_every_method_has_settings_for_the_data_it_is_trained_on(table):
    for cell in () if table.unavailable else table.cells:
        if cell.row.study and cell.data not in catalogue.WRITTEN_FOR:
            assert cell.data in catalogue.recipes(cell.row.study), (cell.row.study, cell.data)


def test_its_accuracies_are_of_all_test_images_of_their_data(table):
    for cell in table.cells:
        if cell.column.unit == "percent" and cell.printed and cell.suite:
            assert cell.images == TEST_IMAGES[cell.column.measured_on or cell.data], cell


def test_its_rows_and_columns_name_studies_data_and_suites_that_there_are(table):
    for cell in table.cells:
        if cell.row.study is None or table.unavailable:
            continue
        assert cell.row.study in catalogue.study_names()
        assert {cell.data, cell.column.measured_on} <= {None, *catalogue.options("data")}
        assert cell.column.measure or cell.column.unavailable or cell.column.score or cell.suite
        if cell.column.score:
            assert cell.protocol in catalogue.downstream_tasks()
        assert {cell.suite} <= {None, *catalogue.options("suite")}


def test_its_columns_are_what_its_suites_measure(table):
    cells = [c for c in table.cells if c.suite and c.protocol and c.row.study]
    for suite_name in {cell.suite for cell in cells}:
        suite = build_suite(compose.load("swaro", ["data=digits", f"+suite={suite_name}"]))
        attacks = {**suite.attacks, **suite.transfers}
        radii = {(name, r) for name, attack in attacks.items() for r in attack.radii}
        for cell in (cell for cell in cells if cell.suite == suite_name):
            assert cell.protocol in suite.protocols
            assert (cell.column.attack, cell.column.epsilon) in {CLEAN, *radii}


def test_the_last_arm_of_its_smallest_tier_composes(table):
    tier = table.tiers.get("smoke")
    if table.unavailable or tier.unavailable:
        return
    arm = list(arms.job_of(table, tier).arms.values())[-1]
    settings = compose.load(arm.study, arm.overrides)
    assert settings.data.name == "digits"
    assert settings.max_epochs <= 3


def test_its_rows_hold_for_settings_that_there_are(table):
    for study in {row.study for row in table.rows.values() if row.where and row.study}:
        trained = compose.load(study, ["data=cifar10"])
        known = compose.flatten(trained)
        for row in table.rows.values():
            assert set(row.where) <= set(known) or row.study != study


def test_accuracy_is_a_share_and_in_linf_never_above_the_clean_one(table):
    for name, row in table.rows.items():
        numbers = dict(zip(table.columns, row.printed, strict=False))
        clean = numbers.get("clean")
        for column, number in numbers.items():
            if number is not None and table.columns[column].unit == "percent":
                assert 0 <= number.value <= 100
                if clean is not None and column.startswith("linf"):
                    assert number.value <= clean.value, name


@pytest.mark.parametrize(("name", "total"), PUBLISHED.items())
def test_its_digits_are_the_papers(name, total):
    table = register.read(name)
    numbers = [n.value for row in table.rows.values() for n in row.printed if n is not None]
    assert sum(numbers) == pytest.approx(total)


def test_a_key_that_is_unknown_is_named_with_the_nearest(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    text = "title: t\nsource: s\nrows:\n  a: {study: swaro, printd: '1.0'}\n"
    (folder / "mine_table1.yaml").write_text(text)
    with pytest.raises(UserError, match=r"mine_table1.yaml: rows.a: unknown key 'printd'; did you"):
        register.read("mine/table1", [str(tmp_path)])


def test_rows_without_names_are_refused_and_shown_by_example(tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "mine.yaml").write_text("title: t\nsource: s\nrows: [{study: at}]\n")
    with pytest.raises(
        UserError, match=r"mine.yaml: rows are given by name, such as rows: \{p=0.5"
    ):
        register.read("mine", [str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("rows: {a: {study: swaro, printed: 1.0}}", "quote it"),
        ("rows: {a: {study: swaro, printed: '1 2'}}", "2 printed numbers for 1 columns"),
        ("rows: {a: {study: swaro, printed: '1,0'}}", "no printed number"),
        ("rows: {a: {}}", "neither a study nor unavailable"),
        ("claims: {c: {words: w, kind: gretaer, rows: [], columns: []}}", "did you mean 'greater'"),
        ("claims: {c: {words: w, kind: flat, rows: [a], columns: [c]}}", "there is no 'a'"),
        ("tiers: {tiny: {}}", "there is no 'tiny'"),
    ],
)
def test_what_does_not_fit_the_rest_is_refused(tmp_path, text, wrong):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "mine_table1.yaml").write_text(f"title: t\nsource: s\ncolumns: {{c: {{}}}}\n{text}\n")
    with pytest.raises(UserError, match=wrong):
        register.read("mine/table1", [str(tmp_path)])


@pytest.mark.parametrize(("misspelt", "meant"), [
    ("swaro/tabel8", "swaro/table8"),
    ("fast_at_figure1", "fast_at/figure1"),  # its file's name
    ("fast/at_figure1", "fast_at/figure1"),
])  # fmt: skip
def test_a_misspelt_table_gets_the_nearest(misspelt, meant):
    with pytest.raises(UserError, match=f"no table '{misspelt}'; did you mean '{meant}'"):
        register.read(misspelt)


def test_swaros_recipe_has_the_figures_of_its_first_table():
    trained = compose.load("swaro", ["data=cifar10"])
    found = published.find_table("swaro_table1", "swaro", trained, "cifar10")
    assert found.accuracy_of("le_swaro", *CLEAN) == pytest.approx(0.8738)
    assert found.accuracy_of("le_swaro", "pgd20_linf", 8 / 255) == pytest.approx(0.3733)
    assert found.accuracy_of("rle_swaro", "slide20_l1", 12.0) == pytest.approx(0.8379)
    assert found.accuracy_of("le_swaro", "pgd20_linf", 0.1) is None


def test_a_row_that_holds_for_a_setting_is_found_under_it_alone():
    for probability, robust in ((0.25, 0.3793), (0.9, 0.3595), (0.6, None)):
        trained = compose.load("swaro", ["data=cifar10", f"clusters.probability={probability}"])
        found = published.find_table("swaro_table6", "swaro", trained, "cifar10")
        accuracy = found and found.accuracy_of("le_swaro", "pgd20_linf", 8 / 255)
        assert accuracy == (robust and pytest.approx(robust))


def test_a_suite_of_several_tables_finds_the_one_that_has_the_trial():
    trained = OmegaConf.create({"data": {"name": "cifar100"}, "max_epochs": 800})
    found = published.find_table("msr_table1", "msr", trained, "cifar100")
    assert (found.source, found.accuracy_of("le_msr", *CLEAN)) == ("MSR Table 2", 0.713)


def test_nothing_was_published_for_other_data_and_suites():
    trained = compose.load("swaro", ["data=digits"])
    assert published.find_table("swaro_table1", "swaro", trained, "digits") is None
    assert published.find_table("swaro_table1", "swaro", trained, "cifar10") is None
    assert (
        published.find_table("quick", "swaro", compose.load("swaro", ["data=cifar10"]), "cifar10")
        is None
    )
