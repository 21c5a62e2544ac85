-- The stored offset of a source is read from the rows of the dimension 'offset', which the primary key finds at once: these
-- rows now all have one bucket, so that merges leave one row a source and their TTL never comes. The projection that found
-- them before cost every insert a third part to write.
ALTER TABLE {database}.counts {on_cluster} DROP PROJECTION IF EXISTS by_source;
