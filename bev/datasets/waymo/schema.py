"""The parts of Waymo Open Dataset's messages that this project reads and writes, in protobuf's words.

Names and numbers are those of waymo-open-dataset 1.6.7. Fields that aren't listed (lasers, maps, segmentation, key
points) are kept when a message is read and written again.
"""

from __future__ import annotations

PACKAGE = "waymo.open_dataset"

MESSAGES = {
    "Transform": "1 repeated double transform",
    "Velocity": """
        1 optional float v_x
        2 optional float v_y
        3 optional float v_z
        4 optional double w_x
        5 optional double w_y
        6 optional double w_z
    """,
    "Vector3d": """
        1 optional double x
        2 optional double y
        3 optional double z
    """,
    "Polygon2dProto": """
        1 repeated double x
        2 repeated double y
        3 optional string id
    """,
    "CameraName": "",
    "Label.Box": """
        1 optional double center_x
        2 optional double center_y
        3 optional double center_z
        5 optional double length
        4 optional double width
        6 optional double height
        7 optional double heading
    """,
    "Label.Metadata": """
        1 optional double speed_x
        2 optional double speed_y
        5 optional double speed_z
        3 optional double accel_x
        4 optional double accel_y
        6 optional double accel_z
    """,
    "Label.Association": "1 optional string laser_object_id",
    "Label": """
        1 optional Label.Box box
        2 optional Label.Metadata metadata
        3 optional Label.Type type
        4 optional string id
        5 optional Label.DifficultyLevel detection_difficulty_level
        6 optional Label.DifficultyLevel tracking_difficulty_level
        7 optional int32 num_lidar_points_in_box
        13 optional int32 num_top_lidar_points_in_box
        10 optional Label.Association association
        11 optional string most_visible_camera_name
        12 optional Label.Box camera_synced_box
    """,
    "CameraCalibration": """
        1 optional CameraName.Name name
        2 repeated double intrinsic
        3 optional Transform extrinsic
        4 optional int32 width
        5 optional int32 height
        6 optional CameraCalibration.RollingShutterReadOutDirection rolling_shutter_direction
    """,
    "Context.Stats.ObjectCount": """
        1 optional Label.Type type
        2 optional int32 count
    """,
    "Context.Stats": """
        1 repeated Context.Stats.ObjectCount laser_object_counts
        5 repeated Context.Stats.ObjectCount camera_object_counts
        2 optional string time_of_day
        3 optional string location
        4 optional string weather
    """,
    "Context": """
        1 optional string name
        2 repeated CameraCalibration camera_calibrations
        4 optional Context.Stats stats
    """,
    "CameraImage": """
        1 optional CameraName.Name name
        2 optional bytes image
        3 optional Transform pose
        4 optional Velocity velocity
        5 optional double pose_timestamp
        6 optional double shutter
        7 optional double camera_trigger_time
        8 optional double camera_readout_done_time
    """,
    "CameraLabels": """
        1 optional CameraName.Name name
        2 repeated Label labels
    """,
    "Frame": """
        1 optional Context context
        2 optional int64 timestamp_micros
        3 optional Transform pose
        4 repeated CameraImage images
        6 repeated Label laser_labels
        9 repeated CameraLabels projected_lidar_labels
        8 repeated CameraLabels camera_labels
        7 repeated Polygon2dProto no_label_zones
        11 optional Vector3d map_pose_offset
    """,
    "Object": """
        1 optional Label object
        2 optional float score = 1.0
        3 optional bool overlap_with_nlz
        4 optional string context_name
        5 optional int64 frame_timestamp_micros
        6 optional CameraName.Name camera_name
    """,
    "NoLabelZoneObject": """
        1 optional Polygon2dProto zone
        2 optional string context_name
        3 optional int64 frame_timestamp_micros
    """,
    "Objects": """
        1 repeated Object objects
        2 repeated NoLabelZoneObject no_label_zone_objects
    """,
    "Submission": """
        1 optional Submission.Task task
        13 optional string account_name
        2 optional string unique_method_name
        3 repeated string authors
        4 optional string affiliation
        5 optional string description
        6 optional string method_link
        16 optional string docker_image_source
        12 optional Submission.SensorType sensor_type
        9 optional int32 number_past_frames_exclude_current
        10 optional int32 number_future_frames_exclude_current
        11 optional Objects inference_results
        14 repeated Label.Type object_types
        15 optional float latency_second
    """,
    "Breakdown": "",
    "MatcherProto": "",
    "Difficulty": "1 repeated Label.DifficultyLevel levels",
    "Config.LongitudinalErrorTolerantConfig.Location3D": """
        1 optional double x
        2 optional double y
        3 optional double z
    """,
    "Config.LongitudinalErrorTolerantConfig": """
        1 optional bool enabled
        2 optional Config.LongitudinalErrorTolerantConfig.Location3D sensor_location
        3 optional float longitudinal_tolerance_percentage
        4 optional float min_longitudinal_tolerance_meter
        5 optional Config.LongitudinalErrorTolerantConfig.AlignType align_type = TYPE_RANGE_ALIGNED
    """,
    "Config": """
        1 repeated float score_cutoffs
        2 optional int32 num_desired_score_cutoffs
        3 repeated Breakdown.GeneratorId breakdown_generator_ids
        4 repeated Difficulty difficulties
        5 optional MatcherProto.Type matcher_type
        6 repeated float iou_thresholds
        7 optional Label.Box.Type box_type
        8 optional float desired_recall_delta = 0.05
        12 optional Config.LongitudinalErrorTolerantConfig let_metric_config
        9 optional float min_precision = 0.0
        10 optional float min_heading_accuracy = -1.0
        11 optional bool include_details_in_measurements
    """,
}
"""Fields by message: number, label, type, name, and `= value` where there is a default."""

ENUMS = {
    "CameraName.Name": (
        "UNKNOWN", "FRONT", "FRONT_LEFT", "FRONT_RIGHT", "SIDE_LEFT", "SIDE_RIGHT", "REAR_LEFT", "REAR", "REAR_RIGHT",
    ),
    "Label.Type": ("TYPE_UNKNOWN", "TYPE_VEHICLE", "TYPE_PEDESTRIAN", "TYPE_SIGN", "TYPE_CYCLIST"),
    "Label.DifficultyLevel": ("UNKNOWN", "LEVEL_1", "LEVEL_2"),
    "Label.Box.Type": ("TYPE_UNKNOWN", "TYPE_3D", "TYPE_2D", "TYPE_AA_2D"),
    "CameraCalibration.RollingShutterReadOutDirection": (
        "UNKNOWN", "TOP_TO_BOTTOM", "LEFT_TO_RIGHT", "BOTTOM_TO_TOP", "RIGHT_TO_LEFT", "GLOBAL_SHUTTER",
    ),
    "Submission.Task": (
        "UNKNOWN", "DETECTION_2D", "DETECTION_3D", "TRACKING_2D", "TRACKING_3D", "DOMAIN_ADAPTATION",
        "CAMERA_ONLY_DETECTION_3D",
    ),
    "Submission.SensorType": (
        "INVALID", "LIDAR_ALL", "LIDAR_TOP", "CAMERA_ALL", "CAMERA_LIDAR_TOP", "CAMERA_LIDAR_ALL",
    ),
    "Breakdown.GeneratorId": (
        "UNKNOWN", "ONE_SHARD", "OBJECT_TYPE", "RANGE", "TIME_OF_DAY", "LOCATION", "WEATHER", "VELOCITY",
        "ALL_BUT_SIGN", "SIZE", "CAMERA",
    ),
    "MatcherProto.Type": ("TYPE_UNKNOWN", "TYPE_HUNGARIAN", "TYPE_SCORE_FIRST"),
    "Config.LongitudinalErrorTolerantConfig.AlignType": (
        "TYPE_UNKNOWN", "TYPE_NOT_ALIGNED", "TYPE_RANGE_ALIGNED", "TYPE_CENTER_ALIGNED",
        "TYPE_FURTHER_ONLY_RANGE_ALIGNED", "TYPE_ANY_CLOSER_ONLY_RANGE_ALIGNED",
        "TYPE_BETWEEN_ORIGIN_AND_GT_ONLY_RANGE_ALIGNED",
    ),
}  # fmt: skip
"""Names of each enum's values 0, 1, 2 ..."""
