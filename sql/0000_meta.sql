-- Numbers about the schema itself; made before any numbered migration.
--   revision          grows with each change of the routing tables
--   migration.NNNN    checksum of the migration that was applied
CREATE TABLE IF NOT EXISTS crankback_meta (
  name  VARCHAR(64) NOT NULL PRIMARY KEY,
  value BIGINT      NOT NULL
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
