//! Types of `domain` as columns: what a query takes and returns, so that no two texts can be mixed up.

use diesel::deserialize::{FromSql, Queryable, Result};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{Binary, Nullable, Text};

use crate::domain::email::Email;
use crate::domain::password::PasswordHash;
use crate::domain::secret::KeyHash;
use crate::domain::username::Username;

/// Lets `$type` stand in a query where `$sql` is expected.
macro_rules! as_expression {
    ($type:ty, $sql:ty, $inner:ty, $as_inner:ident) => {
        impl<'a> AsExpression<$sql> for &'a $type {
            type Expression = <&'a $inner as AsExpression<$sql>>::Expression;

            fn as_expression(self) -> Self::Expression {
                AsExpression::<$sql>::as_expression(self.$as_inner())
            }
        }

        /// `Insertable` borrows its fields once more.
        impl<'a> AsExpression<$sql> for &&'a $type {
            type Expression = <&'a $inner as AsExpression<$sql>>::Expression;

            fn as_expression(self) -> Self::Expression {
                AsExpression::<$sql>::as_expression(self.$as_inner())
            }
        }
    };
}

/// Lets a query return `$type`.
macro_rules! queryable {
    ($type:ty, $sql:ty) => {
        impl Queryable<$sql, Pg> for $type {
            type Row = Self;

            fn build(row: Self) -> Result<Self> {
                Ok(row)
            }
        }
    };
}

as_expression!(Username, Text, str, as_str);
as_expression!(Email, Text, str, as_str);
as_expression!(Email, Nullable<Text>, str, as_str);
as_expression!(PasswordHash, Nullable<Text>, str, as_str);
as_expression!(KeyHash, Binary, [u8], as_bytes);
queryable!(PasswordHash, Text);
queryable!(KeyHash, Binary);

impl FromSql<Text, Pg> for PasswordHash {
    fn from_sql(value: PgValue<'_>) -> Result<Self> {
        <String as FromSql<Text, Pg>>::from_sql(value).map(Self::new)
    }
}

impl FromSql<Binary, Pg> for KeyHash {
    fn from_sql(value: PgValue<'_>) -> Result<Self> {
        Ok(Self::from_bytes(value.as_bytes()).ok_or("a key hash has 32 bytes")?)
    }
}
