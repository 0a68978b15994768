"""An in-process database with Motor's interface over one SQLite file.

`EmbeddedClient.open(path)` gives a client on which ODMantic's `AIOEngine` works unmodified. What
it knows it does exactly as MongoDB; anything else raises `UnsupportedError` naming it.

Layers, each importing only those before it:

- pure: `keys` (the order of values as bytes), `paths`, `regex`, `filters` (parsing), `matcher`,
  `updates`, `upserts`, `projection`, `indexes`, `bounds`, `planner`
- SQLite, synchronous, in one thread: `catalog`, `rows`, `store`, `writes`, `scan`, `commands`,
  `admin`
- asyncio: `worker` (the two threads), `ttl`, `lock`, `requests`, `bulk`, `cursor`, `collection`,
  `session`, `client`

Supported: filters with `$eq $ne $in $nin $gt $gte $lt $lte $exists $type $and $or $nor $not $regex
$elemMatch $all $size` and dotted paths; updates with `$set $unset $inc $min $max $push ($each,
$slice) $pull $addToSet ($each) $setOnInsert` and the positional `$`; aggregations of `$match $sort
$skip $limit $project` in this order; indexes that are unique, compound, multikey, partial, sparse
or TTL.
"""
