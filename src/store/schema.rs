// @generated automatically by Diesel CLI.

diesel::table! {
    challenges (challenge_hash) {
        challenge_hash -> Bytea,
        purpose -> Text,
        user_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        step_key_hash -> Nullable<Bytea>,
        state -> Jsonb,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    identities (id) {
        id -> Uuid,
        user_id -> Uuid,
        issuer -> Text,
        subject -> Text,
        provider -> Text,
        email -> Nullable<Text>,
        address_proven -> Bool,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    known_networks (user_id, network) {
        user_id -> Uuid,
        network -> Cidr,
        seen_at -> Timestamptz,
    }
}

diesel::table! {
    login_steps (key_hash) {
        key_hash -> Bytea,
        kind -> Text,
        user_id -> Nullable<Uuid>,
        methods -> Array<Text>,
        remembered -> Bool,
        redirect_to -> Nullable<Text>,
        email -> Nullable<Text>,
        identity -> Nullable<Jsonb>,
        tries_left -> Int2,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    mails (id) {
        id -> Uuid,
        kind -> Text,
        user_id -> Nullable<Uuid>,
        address -> Text,
        locale -> Nullable<Text>,
        facts -> Jsonb,
        created_at -> Timestamptz,
        due_at -> Timestamptz,
        claimed_until -> Nullable<Timestamptz>,
        tries -> Int4,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    oidc_flows (state_hash) {
        state_hash -> Bytea,
        browser_hash -> Bytea,
        provider -> Text,
        intent -> Text,
        session_id -> Nullable<Uuid>,
        nonce -> Text,
        verifier -> Text,
        redirect_to -> Nullable<Text>,
        remembered -> Bool,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Uuid,
        user_id -> Uuid,
        credential_id -> Bytea,
        public_key -> Jsonb,
        sign_count -> Int8,
        aaguid -> Nullable<Uuid>,
        transports -> Array<Text>,
        backup_eligible -> Bool,
        backed_up -> Bool,
        rp_id -> Text,
        name -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    rate_limits (bucket) {
        bucket -> Bytea,
        full_at -> Timestamptz,
        each -> Interval,
        whole -> Interval,
    }
}

diesel::table! {
    recovery_codes (user_id, code_hash) {
        user_id -> Uuid,
        code_hash -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    recovery_sets (user_id) {
        user_id -> Uuid,
        salt -> Bytea,
        params -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    security_events (id) {
        id -> Uuid,
        created_at -> Timestamptz,
        kind -> Text,
        user_id -> Nullable<Uuid>,
        ip -> Inet,
        user_agent -> Nullable<Text>,
        request_id -> Uuid,
        count -> Int4,
        actor_id -> Nullable<Uuid>,
        details -> Nullable<Jsonb>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        key_hash -> Bytea,
        user_id -> Uuid,
        remembered -> Bool,
        ip -> Nullable<Inet>,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        authenticated_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        expires_at -> Timestamptz,
        methods -> Array<Text>,
        factors -> Int2,
    }
}

diesel::table! {
    tokens (id) {
        id -> Uuid,
        kind -> Text,
        user_id -> Uuid,
        token_hash -> Bytea,
        email -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    totp_secrets (user_id) {
        user_id -> Uuid,
        secret -> Bytea,
        created_at -> Timestamptz,
        confirmed_at -> Nullable<Timestamptz>,
        last_step -> Int8,
    }
}

diesel::table! {
    trusted_devices (id) {
        id -> Uuid,
        user_id -> Uuid,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Inet>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    user_roles (user_id, role, area) {
        user_id -> Uuid,
        role -> Text,
        area -> Text,
        full_name -> Text,
        granted_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        username -> Text,
        email -> Nullable<Text>,
        email_verified_at -> Nullable<Timestamptz>,
        password_hash -> Nullable<Text>,
        rehashed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        last_login_at -> Nullable<Timestamptz>,
        disabled_at -> Nullable<Timestamptz>,
        password_epoch -> Int4,
        pending_email -> Nullable<Text>,
        locale -> Nullable<Text>,
        foreign_hash_kib -> Nullable<Int4>,
        second_factor_required -> Bool,
    }
}

diesel::joinable!(challenges -> users (user_id));
diesel::joinable!(identities -> users (user_id));
diesel::joinable!(known_networks -> users (user_id));
diesel::joinable!(login_steps -> users (user_id));
diesel::joinable!(mails -> users (user_id));
diesel::joinable!(passkeys -> users (user_id));
diesel::joinable!(recovery_codes -> recovery_sets (user_id));
diesel::joinable!(recovery_sets -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(tokens -> users (user_id));
diesel::joinable!(totp_secrets -> users (user_id));
diesel::joinable!(trusted_devices -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    challenges,
    identities,
    known_networks,
    login_steps,
    mails,
    oidc_flows,
    passkeys,
    rate_limits,
    recovery_codes,
    recovery_sets,
    security_events,
    sessions,
    tokens,
    totp_secrets,
    trusted_devices,
    user_roles,
    users,
);
