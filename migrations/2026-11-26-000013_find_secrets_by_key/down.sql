drop index totp_secrets_key_idx;
