"""Tiers as data: cities in the forms that exports use, lists by year, bands, relations and stages."""

from __future__ import annotations

import csv

import pandas as pd
import pytest

from toolkit import Step, funnel, read_events
from toolkit.sources.city_tiers import city_readings, city_tier, city_tier_lists
from toolkit.sources.creator_bands import creator_band, creator_schemes
from toolkit.sources.mechanisms import RELATIONS, TIERS, TYPES
from toolkit.sources.places import read_table
from toolkit.sources.stages import event_stages, relations, stage_steps, stages

#: Cities of the whole tiers in the institute's list of 337 (2022).
SIZES = {"tier_1": 4, "tier_new_1": 15, "tier_2": 30, "tier_3": 70, "tier_4": 90}
HANGZHOU = [
    "杭州",
    "杭州市",
    "浙江省杭州市",
    "浙江杭州",
    "浙江省 杭州市 西湖区",
    "浙江-杭州-西湖",
    "浙江省/杭州市",
    "中国浙江杭州",
    "杭州（浙江）",
    " 杭州市　",
    "\ufeff杭州市",
    "杭州余杭区",
]


def tier(text, year=2020, **options):
    return city_tier([text], year=year, **options).iloc[0]


def reading(text, year=2020):
    return city_readings([text], year=year)["reading"].item()


# The lists


def test_the_list_of_each_year_has_as_many_cities_as_was_read():
    sizes = city_tier_lists().groupby(["year", "tier"]).size()
    upper = {name: SIZES[name] for name in ("tier_1", "tier_new_1")}
    for year in (2019, 2022, 2024):
        assert sizes[year].to_dict() == upper
    assert sizes[2020].to_dict() == SIZES | {"tier_4": 53}


def test_the_size_of_the_whole_tier_stands_on_each_row():
    lists = city_tier_lists()
    assert (lists["of"] == lists["tier"].map(SIZES)).all()


def test_no_city_is_twice_in_a_year_and_each_row_has_a_source():
    lists = city_tier_lists()
    assert not lists.duplicated(["year", "city"]).any()
    assert lists.notna().all(axis=None)
    assert lists["source"].str.contains("Yicai").all()


def test_the_lists_use_the_labels_of_the_simulated_log():
    assert set(city_tier_lists()["tier"]) <= set(TIERS)


def test_the_lists_are_those_of_the_research_files(shared):
    labels = {number: f"tier_{number}" for number in "1234"} | {"new 1": "tier_new_1"}
    with (shared / "figures" / "city_tiers.csv").open(encoding="utf-8-sig") as file:
        rows = [(int(row["year"]), row["city"], labels[row["tier"]]) for row in csv.DictReader(file)]
    lists = city_tier_lists()
    assert sorted(rows) == sorted(zip(lists["year"], lists["city"], lists["tier"], strict=True))


def test_a_change_of_the_lists_frame_does_not_change_the_lists():
    lists = city_tier_lists()
    lists["tier"] = "tier_5"
    assert tier("北京") == "tier_1"


@pytest.mark.parametrize(
    ("city", "tiers"),
    [
        ("北京", ["tier_1"] * 4),
        ("深圳", ["tier_1"] * 4),
        ("杭州", ["tier_new_1"] * 4),
        ("昆明", ["tier_new_1", "tier_2", "unlisted", "unlisted"]),
        ("沈阳", ["tier_new_1", "tier_new_1", "unlisted", "unlisted"]),
        ("宁波", ["tier_new_1", "tier_2", "tier_new_1", "tier_new_1"]),
        ("佛山", ["unlisted", "tier_new_1", "tier_new_1", "unlisted"]),
        ("合肥", ["unlisted", "tier_new_1", "tier_new_1", "tier_new_1"]),
        ("无锡", ["unlisted", "tier_2", "unlisted", "tier_new_1"]),
        ("海口", ["unlisted", "tier_3", "unlisted", "unlisted"]),
        ("吉林市", ["unlisted", "tier_4", "unlisted", "unlisted"]),
    ],
)
def test_a_known_city_has_its_tier_of_each_year(city, tiers):
    assert [tier(city, year) for year in (2019, 2020, 2022, 2024)] == tiers


def test_the_year_is_that_of_the_founding_article_unless_given():
    assert city_tier(["昆明"]).iloc[0] == "tier_new_1"


# Places


def test_the_places_are_the_337_of_the_institute_and_two_special_regions():
    places = read_table("prefectures")
    endings = places["name"].str.extract("(自治州|地区|盟|特别行政区|市)$")[0].value_counts()
    assert endings.to_dict() == {"市": 293 + 4, "自治州": 30, "地区": 7, "盟": 3, "特别行政区": 2}
    assert places["province"].nunique() == 33
    assert not places.duplicated("city").any()
    assert places.notna().all(axis=None)
    assert set(city_tier_lists()["city"]) <= set(places["city"])


def test_every_place_is_found_by_its_short_name_its_full_name_and_within_its_province():
    places = read_table("prefectures")
    both = places["city"].isin(["吉林", "海南"])
    texts = pd.concat([places["city"][~both], places["name"], places["province"] + places["name"]])
    found = city_readings(texts).set_index("text")["city"]
    for city, name, province in zip(places["city"], places["name"], places["province"], strict=True):
        assert found[name] == found[province + name] == city
        assert city in ("吉林", "海南") or found[city] == city


@pytest.mark.parametrize("text", HANGZHOU)
def test_hangzhou_is_found_in_every_form(text):
    assert tier(text) == "tier_new_1"


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("北京市朝阳区", "北京"),
        ("北京市北京市朝阳区", "北京"),
        ("北京市市辖区", "北京"),
        ("北京 朝阳", "北京"),
        ("天津市河北区", "天津"),
        ("重庆市万州区", "重庆"),
        ("吉林市", "吉林"),
        ("吉林省吉林市", "吉林"),
        ("吉林 吉林", "吉林"),
        ("吉林长春市", "长春"),
        ("吉林省长春市朝阳区", "长春"),
        ("海南省海口市", "海口"),
        ("海南海口", "海口"),
        ("青海省海南藏族自治州", "海南"),
        ("海南州", "海南"),
        ("延边朝鲜族自治州", "延边"),
        ("吉林省延边州延吉市", "延边"),
        ("延边", "延边"),
        ("锡林郭勒盟", "锡林郭勒"),
        ("内蒙古锡林郭勒", "锡林郭勒"),
        ("阿克苏地区", "阿克苏"),
        ("新疆维吾尔自治区乌鲁木齐市", "乌鲁木齐"),
        ("黑龙江省牡丹江市西安区", "牡丹江"),
        ("辽宁省大连市中山区", "大连"),
        ("马鞍山", "马鞍山"),
        ("湖南省长沙市长沙县", "长沙"),
        ("江苏省苏州市昆山市", "苏州"),
        ("东莞市东城街道", "东莞"),
        ("乌鲁木齐市北京路", "乌鲁木齐"),
        ("香港特别行政区", "香港"),
    ],
)
def test_the_city_is_found_and_not_one_whose_name_occurs_in_the_text(text, city):
    assert city_readings([text])["city"].item() == city


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("浙江省", "province"),
        ("广西壮族自治区", "province"),
        ("吉林省", "province"),
        ("吉林", "ambiguous"),
        ("海南", "ambiguous"),
        ("江苏省杭州市", "ambiguous"),
        ("北京、上海", "ambiguous"),
        ("杭州/宁波", "ambiguous"),
        ("杭州，宁波", "ambiguous"),
        ("昆山市", "unknown"),
        ("江苏省昆山市", "unknown"),
        ("浙江省义乌市（金华）", "unknown"),
        ("西安区", "unknown"),
        ("长沙县", "unknown"),
        ("南京东路", "unknown"),
        ("北海道", "unknown"),
        ("河南省省直辖县级行政区划济源市", "unknown"),
        ("台湾省台北市", "unknown"),
        ("其他", "unknown"),
        ("拉萨", "unlisted"),
    ],
)
def test_what_is_not_one_listed_city_is_unlisted_and_says_how_it_was_read(text, how):
    assert tier(text) == "unlisted"
    assert reading(text) == how


@pytest.mark.parametrize("text", [None, float("nan"), pd.NA, "", "  ", "-", "--", "—", "N/A", "暂无", "未知"])
def test_missing_text_has_no_tier(text):
    answer = city_tier([text, "北京"])
    assert answer.isna().tolist() == [True, False]
    assert answer.attrs["readings"]["missing"] == 1


# The answer


def test_the_answer_stands_on_the_rows_and_the_name_of_what_was_asked():
    asked = pd.Series(["北京", None, "浙江省"], index=[7, 3, 9], name="市")
    answer = city_tier(asked)
    assert answer.index.tolist() == [7, 3, 9]
    assert answer.name == "市"
    assert city_tier(asked.astype("category")).equals(answer)
    assert city_tier([]).empty


def test_the_answer_counts_how_its_rows_were_read():
    texts = ["北京", "北京市", "拉萨", "浙江省", "吉林", "昆山市", None, "-"]
    assert city_tier(texts, year=2020).attrs == {
        "year": 2020,
        "tiers": ["tier_1", "tier_new_1", "tier_2", "tier_3", "tier_4"],
        "readings": {
            "listed": 2,
            "unlisted": 1,
            "province": 1,
            "ambiguous": 1,
            "unknown": 1,
            "missing": 2,
        },
    }


def test_the_readings_count_each_distinct_text():
    found = city_readings(["浙江省", "北京", "浙江省", None])
    assert found["text"].isna().tolist() == [False, False, True]
    assert found["n"].tolist() == [2, 1, 1]
    assert found["reading"].tolist() == ["province", "listed", "missing"]


def test_only_municipalities_of_real_orders_by_province_have_a_tier(shared):
    orders = pd.read_csv(shared / "data" / "tmall_orders_2020_02" / "tmall_order_report.csv")
    found = city_readings(orders["收货地址 "], year=2020)
    assert found["n"].sum() == 28_010
    listed = found[found["reading"] == "listed"]
    assert set(listed["city"]) == {"北京", "上海", "天津", "重庆"}
    assert set(found["reading"]) == {"listed", "province"}


def test_a_list_of_ones_own_replaces_the_published_ones():
    own = pd.DataFrame(
        {
            "year": 2021,
            "city": ["杭州市", "延边朝鲜族自治州", "昆山"],
            "tier": ["big", "small", "county"],
        }
    )
    texts = ["浙江杭州", "延边州", "江苏省昆山市", "北京"]
    answer = city_tier(texts, year=2021, table=own)
    assert answer.tolist() == ["big", "small", "county", "unlisted"]
    assert answer.attrs["tiers"] == ["big", "small", "county"]


# Bad input to the cities


def test_a_year_without_a_list_is_refused_with_the_years_there_are():
    with pytest.raises(ValueError, match="no city tiers for 2021; there are: 2019, 2020, 2022, 2024"):
        city_tier(["北京"], year=2021)


@pytest.mark.parametrize("year", ["2020", 2020.0, True])
def test_a_year_is_a_whole_number(year):
    with pytest.raises(TypeError, match="a year is a whole number"):
        city_tier(["北京"], year=year)


@pytest.mark.parametrize("value", [330100, 0.5, True])
def test_a_city_that_is_no_text_is_refused(value):
    with pytest.raises(TypeError, match="a city is a text, not"):
        city_tier(["北京", value])


@pytest.mark.parametrize("values", ["北京", pd.DataFrame({"市": ["北京"]}), 5])
def test_cities_come_as_a_series_or_a_list(values):
    with pytest.raises(TypeError, match="values is a Series or a list"):
        city_tier(values)


def test_a_list_with_a_city_twice_is_refused_in_whatever_form():
    own = pd.DataFrame({"year": 2021, "city": ["杭州", "杭州市"], "tier": ["a", "b"]})
    with pytest.raises(ValueError, match="'杭州市' is twice in the city tiers of 2021"):
        city_tier(["杭州"], year=2021, table=own)


def test_a_list_without_a_column_or_a_value_is_refused():
    own = pd.DataFrame({"year": [2021], "city": ["杭州"], "tier": [None]})
    with pytest.raises(ValueError, match="'tier' is missing"):
        city_tier(["杭州"], year=2021, table=own.drop(columns="tier"))
    with pytest.raises(ValueError, match="a row without year, city or tier"):
        city_tier(["杭州"], year=2021, table=own)


def test_a_list_whose_years_are_text_is_refused():
    own = pd.DataFrame({"year": ["2021"], "city": ["杭州"], "tier": ["a"]})
    with pytest.raises(TypeError, match="the table has '2021'"):
        city_tier(["杭州"], year=2021, table=own)


# Creators


@pytest.mark.parametrize(
    ("scheme", "bands"),
    [
        ("huojian_data", ["unlisted", "koc", "koc", "lower", "mid", "mid", "head", "head"]),
        ("ijunjun", ["amateur", "amateur", "mid", "mid", "mid", "mid", "mid", "head"]),
        ("bpteach", ["unlisted", "unlisted", "mid", "mid", "mid", "mid", "mid", "head"]),
        ("campaign_review", ["koc", "koc", "lower_mid", "lower_mid", "mid", "mid", "mid", "head"]),
    ],
)
def test_a_creator_is_in_the_band_of_the_scheme_named(scheme, bands):
    fans = [999, 1_000, 50_000, 50_001, 100_000, 300_000, 300_001, 500_000]
    assert creator_band(fans, scheme=scheme).tolist() == bands


def test_the_published_schemes_disagree():
    bands = {name: creator_band([60_000], scheme=name).item() for name in creator_schemes()["scheme"]}
    assert set(bands.values()) == {"lower", "mid", "lower_mid"}


def test_bands_of_ones_own_may_come_in_any_order():
    assert creator_band([5, 50], scheme={"large": 10, "small": 0}).tolist() == ["small", "large"]


def test_a_missing_number_of_fans_has_no_band():
    fans = pd.Series([10, None, pd.NA], index=list("abc"), name="粉丝数", dtype=object)
    bands = creator_band(fans, scheme="ijunjun")
    assert bands.isna().tolist() == [False, True, True]
    assert bands.index.tolist() == list("abc")
    assert bands.name == "粉丝数"


def test_every_band_has_a_source_and_begins_above_the_one_before():
    schemes = creator_schemes()
    assert schemes["source"].str.len().gt(0).all()
    assert not schemes.duplicated(["scheme", "band"]).any()
    for _, bands in schemes.groupby("scheme"):
        assert bands["from_fans"].is_monotonic_increasing
        assert bands["from_fans"].is_unique


def test_an_unknown_scheme_is_refused_with_those_there_are():
    with pytest.raises(
        ValueError, match="'official'; there are: huojian_data, ijunjun, bpteach, campaign_review"
    ):
        creator_band([1], scheme="official")


@pytest.mark.parametrize("value", [-1, 1.2, float("inf")])
def test_fans_are_whole_numbers_from_0(value):
    with pytest.raises(ValueError, match="whole numbers from 0"):
        creator_band([10, value], scheme="ijunjun")


@pytest.mark.parametrize("value", ["1.2万", "1200", True])
def test_fans_as_text_are_refused(value):
    with pytest.raises(TypeError, match="fans are whole numbers, not"):
        creator_band([10, value], scheme="ijunjun")


@pytest.mark.parametrize("scheme", [{}, {"small": 0.5}, {"small": -1}, {"small": "0"}, ["small"], None])
def test_a_scheme_of_ones_own_has_whole_numbers(scheme):
    with pytest.raises(ValueError, match="a scheme is a name, or band names"):
        creator_band([1], scheme=scheme)


def test_two_bands_that_begin_at_the_same_number_are_refused():
    with pytest.raises(ValueError, match="begin at the same number"):
        creator_band([1], scheme={"small": 0, "tiny": 0})


# Users


def test_relations_have_the_values_of_the_simulated_log_each_with_a_source():
    frame = relations()
    assert set(frame.loc[frame["column"] == "user_type", "value"]) == set(TYPES)
    assert set(frame.loc[frame["column"] == "relation", "value"]) == set(RELATIONS)
    for column in ("definition", "source", "header", "as_of"):
        assert frame[column].str.len().gt(0).all()


def test_new_and_old_look_back_365_days():
    frame = relations().set_index("value")
    assert frame.loc[["new", "old"], "days"].tolist() == [365, 365]
    assert frame.loc[["fan", "non_fan"], "days"].isna().all()


# Stages


@pytest.mark.parametrize("scheme", ["aipl", "o5a", "aips"])
def test_every_stage_has_a_definition_and_a_source(scheme):
    frame = stages(scheme)
    assert frame["stage"].is_unique
    for column in ("header", "definition", "source"):
        assert frame[column].str.len().gt(0).all()
    for row in frame.itertuples():
        assert not set(row.events) & set(row.assumed)


def test_the_stages_stand_in_the_order_of_their_initials():
    initials = {name: [header.split()[0] for header in stages(name)["header"]] for name in ("aipl", "aips")}
    assert initials == {"aipl": ["A", "I", "P", "L"], "aips": ["A", "I", "TI", "P", "S"]}
    assert stages("o5a")["stage"].tolist() == ["opportunity", "aware", "appeal", "ask", "act", "advocate"]


def test_alibaba_looks_back_15_days_for_awareness_and_interest():
    assert stages("aipl")["days"].tolist() == [15, 15, pd.NA, pd.NA]


def test_a_stage_that_no_event_reaches_is_no_step():
    assert [stage for stage, _ in stage_steps("o5a")] == ["aware", "appeal", "ask", "act", "advocate"]


def test_a_change_of_a_stages_frame_does_not_change_the_stages():
    stages("aipl")["events"][0].append("pay")
    assert dict(stage_steps("aipl"))["awareness"] == ["impression", "product_shown"]


def test_only_events_that_the_log_has_are_kept():
    assert stage_steps({"seen": ["impression", "search"], "paid": "pay"}, among=["impression", "pay"]) == [
        ("seen", ["impression"]),
        ("paid", ["pay"]),
    ]


def test_the_first_event_of_a_kind_puts_a_user_into_the_lower_of_two_stages():
    found = event_stages("aipl")
    assert found["pay"] == "purchase"
    assert found["share"] == "loyalty"
    assert found["cart"] == "interest"


def test_the_stages_are_steps_of_a_funnel_in_which_a_second_payment_is_loyalty():
    rows = [
        ("once", "2019-09-02 10:00", "impression"),
        ("once", "2019-09-02 10:01", "enter"),
        ("once", "2019-09-02 10:02", "pay"),
        ("twice", "2019-09-02 10:00", "impression"),
        ("twice", "2019-09-02 10:01", "enter"),
        ("twice", "2019-09-02 10:02", "pay"),
        ("twice", "2019-09-09 10:02", "pay"),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "event"])
    log = read_events(frame.assign(timestamp=pd.to_datetime(frame["timestamp"])))
    steps = stage_steps("aipl", among=frame["event"])
    answer = funnel(log, [Step(stage, event=events) for stage, events in steps], within=None)
    assert answer.table["step"].tolist() == ["awareness", "interest", "purchase", "loyalty"]
    assert answer.table["reached"].tolist() == [2, 2, 2, 1]


def test_an_unknown_scheme_of_stages_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no scheme of stages 'aida'; there are: aipl, o5a, aips"):
        stage_steps("aida")


def test_a_stage_without_an_event_in_the_log_is_named():
    with pytest.raises(ValueError, match=r"stage 'share' has no event in the log \(share\)"):
        stage_steps("aips", among=["impression", "read", "cart", "pay"])


@pytest.mark.parametrize("events", [[], "", [""], [1]])
def test_a_stage_of_ones_own_needs_the_name_of_an_event(events):
    with pytest.raises(ValueError, match="stage 'seen' needs the name of an event"):
        stage_steps({"seen": events})


def test_the_events_of_a_log_come_as_a_list():
    with pytest.raises(TypeError, match="among is a list"):
        stage_steps("aipl", among="pay")
