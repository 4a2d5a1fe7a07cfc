"""Jobs over HTTP: trainings from a folder or a zip, explore, evaluate, benchmark; their progress and reports."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Depends, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ValidationError

from blemish.server.job_requests import EvaluateRequest, JobRequest, TrainRequest
from blemish.server.jobs import Job, JobsFullError
from blemish.server.uploads import UploadError
