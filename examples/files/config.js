// What is yours to set: the server and the publishable key.
export const API = "http://127.0.0.1:8000";
export const KEY = "pk_...";
