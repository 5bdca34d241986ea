import { defineConfig } from "vite";

// `npm run dev` asks the API of the containers: `doit status` says its port.
export default defineConfig({
  server: { proxy: { "/api": process.env.SHOP_API ?? "http://127.0.0.1:8080" } },
});
