import type { Server } from "./server";
export async function showReport(server: Server) { await server.status(); }
