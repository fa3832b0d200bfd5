"""The file of names is read as it was written, whatever people call their pipelines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.account_names import AccountNames, CustomField, Pipeline
from relay.config.names_files import format_names, parse_names

ids = st.integers(0, 10**9).map(str)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.builds(
    AccountNames,
    pipelines=st.dictionaries(
        ids, st.builds(Pipeline, name=texts, statuses=st.dictionaries(ids, texts, max_size=3)), max_size=3
    ),
    users=st.dictionaries(ids, texts, max_size=3),
    fields=st.dictionaries(
        st.sampled_from(["lead", "contact", "company"]),
        st.dictionaries(ids, st.builds(CustomField, name=texts, code=texts, type=texts), max_size=2),
    ),
)


@settings(max_examples=60, deadline=None)
@given(names)
def test_it_is_read_as_it_was_written(known: AccountNames) -> None:
    text = format_names("acme", known)
    assert parse_names(text, "acme.yaml") == known
    assert format_names("acme", parse_names(text, "acme.yaml")) == text


def test_people_can_read_it() -> None:
    known = AccountNames(
        pipelines={"5": Pipeline(name="Продажи", statuses={"142": "Успешно реализовано"})},
        users={"7": 'Анна "Аня" Смирнова'},
        fields={"lead": {"1": CustomField(name="Город", type="text")}, "company": {}},
    )
    assert format_names("acme", known).splitlines()[2:] == [
        "pipelines:",
        '  "5":',
        '    name: "Продажи"',
        "    statuses:",
        '      "142": "Успешно реализовано"',
        "users:",
        '  "7": "Анна \\"Аня\\" Смирнова"',
        "fields:",
        "  lead:",
        '    "1": {"name": "Город", "type": "text"}',
        "  company: {}",
    ]
