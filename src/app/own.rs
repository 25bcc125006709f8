//! Endpoints and tables of your own, in the same process and the same database.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use diesel_migrations::EmbeddedMigrations;

use crate::auth::error::AuthError;
use crate::http::site::OwnRoutes;
use crate::http::wire::problem::Problem;
use crate::store::db::error::DbError;

/// What your program adds to Latchkey.
#[derive(Default)]
pub struct Own {
    pub(crate) routes: Option<OwnRoutes>,
    pub(crate) migrations: Option<EmbeddedMigrations>,
}

impl Own {
    /// Your services, as actix's `App::configure` takes them. Their paths must not begin with `/api/`. They come before
    /// the reference page and the files of `LATCHKEY_SPA_DIR`.
    ///
    /// They are served like Latchkey's own: requests from other sites' pages are refused, answers are not cached, and
    /// `CurrentUser` and the other guards are handler arguments. So is `Data<Db>`. Errors become problem details, except
    /// those that you answer with JSON or with a status that Latchkey does not use. Each worker calls `routes` once.
    pub fn routes(routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        Self {
            routes: Some(Arc::new(routes)),
            migrations: None,
        }
    }

    /// Your tables. `serve` and `migrate` run what is pending, after Latchkey's own migrations and under the same lock.
    /// A table that refers to `users` needs `on delete cascade`, so that people can delete their account.
    #[must_use]
    pub fn migrations(self, migrations: EmbeddedMigrations) -> Self {
        Self {
            migrations: Some(migrations),
            ..self
        }
    }
}

/// For handlers of your own: a database that is away becomes 503, everything else 500 and a line in the log.
impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        AuthError::from(error).into()
    }
}
