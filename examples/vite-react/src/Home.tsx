import type { Me } from "latchkey-client";

const posts = [
  { author: "john", body: "Beautiful day in Portland!" },
  { author: "susan", body: "The Avengers movie was so cool!" },
];

export function Home({ user }: { user: Me }) {
  return (
    <>
      <h1>Hi, {user.username}!</h1>
      {posts.map((post) => (
        <article key={post.author}>
          <b>{post.author}</b> says: {post.body}
        </article>
      ))}
    </>
  );
}
