"""A backend behind nginx with deploy/nginx.conf: pip install fastapi uvicorn; uvicorn main:app --port 9000"""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel


class User(BaseModel):
    id: str
    name: str
    email: str | None
    roles: list[str]


def current_user(
    x_latchkey_user_id: Annotated[str, Header()],  # required: without it, a request is refused with 422
    x_latchkey_username: Annotated[str, Header()],
    x_latchkey_email: Annotated[str, Header()],
    x_latchkey_roles: Annotated[str, Header()],
) -> User:
    email = None if x_latchkey_email == "-" else unquote(x_latchkey_email)
    return User(id=x_latchkey_user_id, name=x_latchkey_username, email=email, roles=x_latchkey_roles.split(","))


app = FastAPI()


@app.api_route("/backend/hello", methods=["GET", "POST"])
def hello(user: Annotated[User, Depends(current_user)]) -> User:
    return user


@app.delete("/backend/everything", status_code=204)
def delete_everything(user: Annotated[User, Depends(current_user)]) -> None:
    if "editor" not in user.roles:
        raise HTTPException(403)
