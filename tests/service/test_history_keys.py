from hypothesis import given
from hypothesis import strategies as st

from service.history_keys import events_key, history_key, user_of

users = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(users)
def test_a_user_comes_back_and_both_keys_have_one_hash_tag(user: str) -> None:
    key = history_key(user)
    assert user_of(key) == user
    assert user_of(events_key(user)) is None
    tags = {k[k.index("{") + 1 : k.index("}")] for k in (key, events_key(user))}  # as Redis Cluster cuts it
    assert len(tags) == 1
    assert tags != {""}


@given(users, users)
def test_two_users_never_share_a_key(one: str, other: str) -> None:
    assert (history_key(one) == history_key(other)) is (one == other)
