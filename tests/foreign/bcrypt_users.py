"""A CSV of users with bcrypt, as from Laravel, Rails or Supabase: python bcrypt_users.py > users.csv"""
import bcrypt

print("username,email,password_hash,email_verified,roles")
for name, prefix, cost in [("lara", "$2y$", 12), ("ruby", "$2a$", 12), ("supa", "$2a$", 10), ("flaskb", "$2b$", 12)]:
    made = bcrypt.hashpw(f"{name}-walks-9-dogs".encode(), bcrypt.gensalt(cost)).decode()
    print(f"{name},{name}@example.com,{made.replace('$2b$', prefix)},true,editor:media viewer")
