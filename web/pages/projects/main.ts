// Starts the projects page.
import { Api } from './api.ts';
import { ProjectsApp } from './projects-app.ts';

const root = document.getElementById('app');
if (root) void new ProjectsApp(root, new Api((address, options) => fetch(address, options))).start();
