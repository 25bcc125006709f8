// @generated automatically by Diesel CLI.

diesel::table! {
    known_networks (user_id, network) {
        user_id -> Uuid,
        network -> Cidr,
        seen_at -> Timestamptz,
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
    rate_limits (bucket) {
        bucket -> Bytea,
        full_at -> Timestamptz,
        each -> Interval,
        whole -> Interval,
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
    }
}

diesel::joinable!(known_networks -> users (user_id));
diesel::joinable!(mails -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(tokens -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    known_networks,
    mails,
    rate_limits,
    security_events,
    sessions,
    tokens,
    user_roles,
    users,
);
