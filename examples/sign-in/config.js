// What is yours to set: the server, the publishable key, and the providers that it knows.
export const API = "http://127.0.0.1:8000";
export const KEY = "pk_...";
export const PROVIDERS = { google: "Google", github: "GitHub" };
