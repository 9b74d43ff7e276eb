import pytest

from ws_service.cluster.redis import open_redis


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379",
        "redis://:hunter2@redis/3",
        "rediss://user:hunter2@redis.example:6380/0",
        "redis+sentinel://:hunter2@one:26379,two/storecast",
    ],
)
def test_a_redis_and_sentinels_are_named_by_a_url(url: str) -> None:
    """Nothing is connected yet: an emitter starts before its Redis does."""
    assert open_redis(url)


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "http://redis",
        "redis://redis:hunter2",
        "redis+sentinel://one:26379",
        "redis+sentinel:///storecast",
        "redis+sentinel://one:hunter2/storecast",
        "redis+sentinel://one,,two/storecast",
        "redis+sentinel://one/storecast/hunter2",
    ],
)
def test_anything_else_is_refused_without_a_word_of_it(url: str) -> None:
    """The message says how a URL looks; what stands there may be a password."""
    with pytest.raises(ValueError, match=r"^give redis://HOST:PORT") as refused:
        open_redis(url)
    assert "hunter2" not in str(refused.value)
