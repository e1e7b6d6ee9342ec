// SPDX-License-Identifier: Apache-2.0
// Starts `psynec lsp` for .hrm and .psy.
'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

exports.activate = () => {
    const settings = vscode.workspace.getConfiguration('psyne');
    const server = { command: settings.get('psynec', 'psynec'), args: ['lsp'] };
    client = new LanguageClient('psyne', 'Psyne', server, {
        documentSelector: [{ language: 'hrm' }, { language: 'psy' }],
        initializationOptions: { include: settings.get('include', []) },
        synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher('**/*.psy') },
    });
    return client.start();
};

exports.deactivate = () => client && client.stop();
