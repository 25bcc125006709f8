//! What people see at the paths that the API leaves free: the reference page, or a single-page app of yours.

use actix_web::{HttpRequest, HttpResponse};

use super::demo::Demo;
use super::spa::Spa;
use crate::domain::next::is_reserved;
use crate::http::wire::problem::Problem;

pub enum Front {
    Demo(Demo),
    Spa(Spa),
}

impl Front {
    /// The answer to a GET for which there is no route. `None`: there is nothing.
    pub async fn answer(&self, request: &HttpRequest) -> Result<Option<HttpResponse>, Problem> {
        // A mistyped path of the API is not answered with a page.
        if is_reserved(request.path()) {
            return Ok(None);
        }
        match self {
            Self::Demo(demo) => Ok(demo.answer(request)),
            Self::Spa(spa) => spa.answer(request).await,
        }
    }
}
