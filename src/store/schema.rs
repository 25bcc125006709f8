// @generated automatically by Diesel CLI.

diesel::table! {
    known_networks (user_id, network) {
        user_id -> Uuid,
        network -> Cidr,
        seen_at -> Timestamptz,
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
    users (id) {
        id -> Uuid,
        username -> Text,
        email -> Text,
        email_verified_at -> Nullable<Timestamptz>,
        password_hash -> Text,
        rehashed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        last_login_at -> Nullable<Timestamptz>,
        disabled_at -> Nullable<Timestamptz>,
        password_epoch -> Int4,
    }
}

diesel::joinable!(known_networks -> users (user_id));
diesel::joinable!(security_events -> users (user_id));
diesel::joinable!(sessions -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    known_networks,
    rate_limits,
    security_events,
    sessions,
    users,
);
