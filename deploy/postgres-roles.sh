#!/bin/sh
# Run once by the Postgres image: the application's role owns nothing; the owner ($POSTGRES_USER) only migrates.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$OSTEON_APPLICATION_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE osteon_blinded NOLOGIN;
CREATE ROLE osteon_application NOLOGIN;
GRANT osteon_blinded TO osteon_application;
CREATE ROLE osteon LOGIN PASSWORD :'password' IN ROLE osteon_application;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
