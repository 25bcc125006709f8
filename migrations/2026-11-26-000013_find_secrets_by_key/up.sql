-- A start asks which keys sealed the secrets, and upkeep asks for those of former keys: neither may read every row.
create index totp_secrets_key_idx on totp_secrets (substr(secret, 1, 5), user_id) where confirmed_at is not null;
