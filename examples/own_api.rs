//! Endpoints and a table of your own beside Latchkey's: `cargo run --example own_api`. The program is the whole
//! `latchkey` command, as in `cargo run --example own_api -- users grant susan editor`.

use std::process::ExitCode;

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use latchkey::{CurrentUser, Db, Json, Own, Problem, RoleName, WithRole};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("examples/own_api/migrations");

diesel::table! {
    notes (id) { id -> BigInt, user_id -> Uuid, text -> Text, }
}

#[derive(serde::Deserialize)]
struct NewNote {
    text: String,
}

struct Editor;
impl RoleName for Editor {
    const ROLE: &'static str = "editor";
}

/// For everybody who is logged in.
#[post("/notes")]
async fn add(
    user: CurrentUser,
    db: Data<Db>,
    note: Json<NewNote>,
) -> Result<HttpResponse, Problem> {
    let row = (notes::user_id.eq(user.id()), notes::text.eq(note.0.text));
    let insert = diesel::insert_into(notes::table).values(row);
    db.run(async |conn| insert.execute(conn).await).await?;
    Ok(HttpResponse::Created().finish())
}

/// For those who have the role.
#[get("/notes")]
async fn list(_: WithRole<Editor>, db: Data<Db>) -> Result<HttpResponse, Problem> {
    let all = notes::table
        .select((notes::user_id, notes::text))
        .order(notes::id);
    let all = db
        .run(async |conn| all.load::<(uuid::Uuid, String)>(conn).await)
        .await?;
    Ok(HttpResponse::Ok().json(all))
}

fn main() -> ExitCode {
    let own = Own::routes(|config| {
        config.service(add).service(list);
    });
    latchkey::main_with(own.migrations(MIGRATIONS))
}
