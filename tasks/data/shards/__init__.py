"""Keep a team's reviews as one shard per source file, so that a night reads only what is new, and join the shards."""
