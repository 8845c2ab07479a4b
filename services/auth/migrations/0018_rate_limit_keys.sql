-- Keys of rate_limits are HMACs now. Rows under readable keys would never be counted again.
DELETE FROM rate_limits;
